// How a student begins: everything around the mixers is the teacher's; a recurrent mixer starts from the
// teacher's attention weights, C from Q, B from K, x from V, out from O (models.md 3.3, 3.5, 6).
#pragma once

#include <span>

#include "core/base/random_stream.h"
#include "core/models/model.h"
#include "core/training/trainable_model.h"

namespace tandem::training {

/// Fills all parameters of `student` from a Llama teacher. `ids`: tokens the teacher runs on, to see what its
/// layers get (Llamba's decay starts near 0.95 for the mean of that; its projection has no bias to say so).
/// A state narrower than the teacher's heads takes the slowest rotary pairs, those that carry content.
/// Errors: Mismatch (layers, widths or heads that do not pair), and those of Checkpoint::read.
Status start_from_teacher(Context& context, const Model& teacher, std::span<const std::int32_t> ids,
                          RandomStream random, TrainableModel& student);

}  // namespace tandem::training
