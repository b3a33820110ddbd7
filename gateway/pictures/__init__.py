"""The files of requests and answers: kept by hash, decoded in a child process, thumbnails, copies of links, served.

From outside: everything but `decode_child`, which is a program of its own. May import index, models, network and content.
"""
