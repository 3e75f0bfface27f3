"""The command line: looks after the exports of an MWAA environment. Starts exports, and otherwise only reads."""
