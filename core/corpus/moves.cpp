#include "core/corpus/moves.h"

namespace tandem::corpus {

void tell_moves(Tale& tale, std::span<const Move> moves, int steps) {
  constexpr int kTries = 1000;
  const Move* previous = nullptr;
  for (int tries = 0; steps > 0; ++tries) {
    TANDEM_CHECK(tries < kTries, "no move is possible at " + std::to_string(tale.amount));
    const Move& move = tale.story.random().pick(moves);
    if (move.steps > steps || (&move == previous && tries < kTries / 2) || !move.tell(tale)) continue;
    steps -= move.steps;
    previous = &move;
  }
}

}  // namespace tandem::corpus
