"""What the engine is measured against. Each module is a process of its own, told what to do by BENCH_TASK (JSON)."""
