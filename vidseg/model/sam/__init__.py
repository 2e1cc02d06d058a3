"""SAM (Kirillov et al., 2023), the predecessor of SAM 2, which knows single images only: a baseline."""
