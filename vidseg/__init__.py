"""A declarative, config-driven experiment runner for SAM-2 video segmentation."""
