"""The REST API and the web page: the one path for those who do not live in a terminal. Imports nothing heavy."""
