"""What the functions share: contracts, S3 layout, errors, AWS calls and observability."""
