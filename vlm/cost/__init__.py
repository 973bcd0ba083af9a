"""What a model costs: bytes by arithmetic, bytes and seconds by measurement. Importing it imports no torch."""
