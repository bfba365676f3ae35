"""YAML and JSON texts as trees that know their lines, and types read from them.

`jsontext` and `yamltext` make a `tree`; `types` reads Go's types from one, with
Kubernetes' messages. `namedfile` reads a file that somebody named, `linesplitter`
splits chunks into lines.
"""
