def main(out): pass
