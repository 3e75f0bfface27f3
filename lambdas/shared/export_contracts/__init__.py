"""What an export is to all who write or read it: documents, S3 layout, and what covers what."""
