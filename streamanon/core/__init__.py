"""Pure computation on arrays: geometry, tracking, identity, warp, masks, policy, compose."""
