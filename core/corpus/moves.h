// Stories about one amount that goes up and down: each move changes the amount by telling what happens and
// working it out. A plot is a list of moves; they are drawn until the wanted number of steps is used up.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "core/corpus/story.h"

namespace tandem::corpus {

struct Tale {
  Story& story;
  std::int64_t amount = 0;
};

struct Move {
  int steps = 1;  // calculations it adds
  /// Draws the move's numbers and tells it; false, and nothing told, when the amount does not allow it.
  std::function<bool(Tale& tale)> tell;
};

/// Tells moves that add exactly `steps` calculations; none follows itself when there is a choice.
/// One of the one-step moves must be possible at any amount.
void tell_moves(Tale& tale, std::span<const Move> moves, int steps);

}  // namespace tandem::corpus
