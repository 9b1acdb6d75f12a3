"""Datasets, experiments (StyleGAN) and their snapshots."""
