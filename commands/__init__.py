"""The commands of the command line, a module a group: parse, call, print. They import what is heavy when they run."""
