"""What a run writes: videos, images, masks as RLE, samples and the contact sheet."""
