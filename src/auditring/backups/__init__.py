"""What becomes of a file after its rotation: compressed, kept, removed.

`mills` holds one `mill` a log and process, `thread` runs it. `compressor` packs,
`retention` and `space` choose what goes, `parting` and `heldnames` keep names apart.
"""
