// How far a student's mixing matrices are from its teacher's, head by head: what MOHAWK's first stage makes
// small.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "core/mixing/capture.h"

namespace tandem {

struct LayerDistances {
  std::int64_t layer = 0;
  std::vector<MatrixDistance> heads;  // head h against head h
};

/// Of every layer in which both have as many heads, on one text; a state-space matrix with its skip on the
/// diagonal. Each model mixes what its own layers below give it. Matrices are made and summed where the
/// context computes, a layer at a time, in f32. Errors: those of capture(), Mismatch (another number of
/// layers, or no layer with as many heads).
Result<std::vector<LayerDistances>> matrix_distances(const Model& teacher, const Model& student,
                                                     std::span<const std::int32_t> ids, Context& context,
                                                     std::stop_token stop = {});

}  // namespace tandem
