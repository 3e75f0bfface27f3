"""The command line: looks after the exports of an MWAA environment. It starts exports, repairs, and otherwise reads."""
