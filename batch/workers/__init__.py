"""Who describes blocks: threads of this process, processes of this machine, actors of a Ray cluster."""
