"""Archives of data volumes: written and unpacked in a container that mounts them, checked on the host.

Needs the standard library of Python 3.9 and nothing else: the host may have nothing more.
"""
