"""When to abstain: how the signals of a description tell whether it is right."""
