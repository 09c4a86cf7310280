"""The reference as programs: the engines over real descriptors, sockets, files and processes.

They stand in qmail's places, where the package `qmail-reference` puts them, so that everything around a qmail
can be tried where no qmail package can be had. Python 3.8 and its standard library; few imports, for each
session starts one Python.
"""
