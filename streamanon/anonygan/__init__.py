"""AnonyGAN in PyTorch: the network that paints what a warped portrait cannot show.

After Dall'Asen, Wang, Tang, Zanella and Ricci, "Graph-based Generative Face Anonymisation with Pose
Preservation", ICIAP 2021 (arXiv 2112.05496), of which ``GeneratorConfig.paper`` is the published
form. Training and export import this package, and the runtime of PyTorch's name; all else needs no
PyTorch.

A batch holds one aligned crop a face, made by :mod:`streamanon.face.network_input`:

===================  =======================  ====================================================
``context``          (n, 128, 128, 3) uint8   the crop, BGR; the networks blank its hole themselves
``maps``             (n, 128, 128, 4) uint8   hole, eyes, mouth interior, stretch of the warp
``warped``           (n, 128, 128, 3) uint8   the condition portrait moved onto the source, BGR
``complexion``       (n, 3) float32           mean of the source's skin, BGR in 0..255
``points``           (n, 70, 2) float32       68 iBUG points and both irises, crop px
``lookup``           (n, 32, 32, 2) float32   where in the condition's crop each cell looks, crop px
``condition``        (n, 128, 128, 3) uint8   the portrait's own crop, BGR
``condition_points`` (n, 70, 2) float32       its points, px of its own crop
``features``         (n, 64, 32, 32) float32  what the condition branch saw, cached for an identity
``nodes``            (n, k, 70, 64) float32   its landmarks as graph nodes, one set a block
===================  =======================  ====================================================

Inside the networks images are (n, channels, height, width); colours are BGR in 0..1 display space
wherever a name says nothing else, and networks see them centred, in -1..1.
"""
