"""What can go wrong with a proof; that the export does not restore is none of it but the proof's outcome."""


class ProofError(Exception):
    """The proof could not be made: nothing is known of the export."""


class ScratchError(ProofError):
    """There is no PostgreSQL to restore into."""
