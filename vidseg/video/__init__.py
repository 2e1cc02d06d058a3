"""Everything that knows PyAV or where pictures come from: readers, the encoder, the built-in clip."""
