"""What users bring: problems of statistics, learning, inverse problems, atoms and design."""
