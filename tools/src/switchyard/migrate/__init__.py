"""`switchyard migrate`: from one backend to another while everything runs, by stages that must each be passed."""
