// One function per family of word problems: each tells a story with exactly `steps` calculations (2 to 8).
#pragma once

#include "core/corpus/story.h"

namespace tandem::corpus {

void tell_shopping(Story& story, int steps);
void tell_sharing(Story& story, int steps);
void tell_rates(Story& story, int steps);
void tell_ages(Story& story, int steps);
void tell_fractions(Story& story, int steps);
void tell_comparison(Story& story, int steps);

}  // namespace tandem::corpus
