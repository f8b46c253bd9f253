"""The operator's commands for the Compose stacks; needs Python 3.9 and the `docker` command, and nothing else."""
