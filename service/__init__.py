"""The REST API and the web page.

Empty until its issue; it stands here so that the imports are held to the tower from the start.
"""
