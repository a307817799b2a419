"""AnonyGAN in PyTorch: the generator that completes a warped portrait.

After Dall'Asen, Wang, Tang, Zanella and Ricci, "Graph-based Generative Face Anonymisation with Pose
Preservation", ICIAP 2021 (arXiv 2112.05496), of which ``GeneratorConfig.paper`` is the published
form. Only training, export and the PyTorch runtime import this package; the rest needs no PyTorch.

A batch holds one aligned crop per face, made by :mod:`streamanon.face.network_input`:

===================  =======================  ====================================================
``context``          (n, 128, 128, 3) uint8   the crop, BGR; the networks mask its hole themselves
``maps``             (n, 128, 128, 4) uint8   hole, eyes, mouth interior, stretch of the warp
``warped``           (n, 128, 128, 3) uint8   the condition portrait warped onto the source, BGR
``complexion``       (n, 3) float32           mean of the source's skin, BGR in 0..255
``points``           (n, 70, 2) float32       68 iBUG points and both irises, crop px
``lookup``           (n, 32, 32, 2) float32   position of each cell in the condition's crop, crop px
``condition``        (n, 128, 128, 3) uint8   the portrait's own crop, BGR
``condition_points`` (n, 70, 2) float32       its points, px of its own crop
``features``         (n, 64, 32, 32) float32  features of the condition branch, cached per identity
``nodes``            (n, k, 70, 64) float32   the condition's graph nodes, one set per block
===================  =======================  ====================================================

Inside the networks images are (n, channels, height, width); colours are BGR in 0..1 display space
unless stated otherwise, and centred to -1..1 as input of layers.
"""
