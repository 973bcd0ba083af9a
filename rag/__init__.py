"""How evidence becomes a description: retrieve, prompt, generate, check, record."""
