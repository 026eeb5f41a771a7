// A small pair of models' matrices, made so that every identity holds exactly where it should: attention rows
// sum to 1, and the student's matrix is decay times content. Layer 1 of the student is attention, as in a
// hybrid.
#pragma once

#include <cmath>
#include <memory>

#include "kernels/base/philox.h"
#include "ui/models/matrix_set.h"

namespace fixture {

using namespace tandem;
using namespace tandem::ui;

inline constexpr int kLayers = 3;
inline constexpr int kHeads = 2;
inline constexpr int kKeptLayer = 1;

inline LayerMatrices attentionLayer(int layer, int heads, int seqlen, std::uint64_t seed) {
  LayerMatrices result;
  result.layer = layer;
  result.kind = MixerKind::Attention;
  result.matrix = Tensor(Shape{heads, seqlen, seqlen});
  for (int h = 0; h < heads; ++h) {
    result.heads.push_back(h);
    for (int i = 0; i < seqlen; ++i) {
      float* row = result.matrix.f32() + (h * seqlen + i) * seqlen;
      float sum = 0;
      for (int j = 0; j <= i; ++j) {
        row[j] = std::exp(
            4 * completion_uniform(seed, 0, 0, static_cast<std::uint32_t>((h * seqlen + i) * seqlen + j)));
        sum += row[j];
      }
      for (int j = 0; j <= i; ++j) row[j] /= sum;
    }
  }
  return result;
}

inline LayerMatrices recurrentLayer(int layer, int heads, int seqlen, std::uint64_t seed) {
  LayerMatrices result;
  result.layer = layer;
  result.kind = MixerKind::DiscreteMamba2;
  const Shape shape{heads, seqlen, seqlen};
  result.matrix = Tensor(shape);
  result.decay = Tensor(shape);
  result.content = Tensor(shape);
  result.skip = Tensor(Shape{heads});
  for (int h = 0; h < heads; ++h) {
    result.heads.push_back(h);
    result.skip.f32()[h] = 0.5F + static_cast<float>(h);
    for (int i = 0; i < seqlen; ++i) {
      const int row = (h * seqlen + i) * seqlen;
      result.decay.f32()[row + i] = 1;
      for (int j = i - 1; j >= 0; --j) result.decay.f32()[row + j] = 0.9F * result.decay.f32()[row + j + 1];
      for (int j = 0; j <= i; ++j) {
        result.content.f32()[row + j] =
            completion_uniform(seed, 1, 0, static_cast<std::uint32_t>(row + j)) - 0.4F;
        result.matrix.f32()[row + j] = result.decay.f32()[row + j] * result.content.f32()[row + j];
      }
    }
  }
  return result;
}

inline std::shared_ptr<MatrixSet> makeSet(int seqlen = 12, int teacherHeads = kHeads,
                                          int studentHeads = kHeads) {
  auto set = std::make_shared<MatrixSet>();
  Capture teacher, student;
  for (int t = 0; t < seqlen; ++t) {
    set->ids.push_back(t);
    set->tokens.append(QStringLiteral("tok%1").arg(t));
  }
  teacher.ids = student.ids = set->ids;
  for (int layer = 0; layer < kLayers; ++layer) {
    const auto seed = static_cast<std::uint64_t>(layer) * 1000003;
    teacher.layers.push_back(attentionLayer(layer, teacherHeads, seqlen, seed));
    student.layers.push_back(layer == kKeptLayer ? attentionLayer(layer, studentHeads, seqlen, seed)
                                                 : recurrentLayer(layer, studentHeads, seqlen, seed + 77));
  }
  set->sides = {MatrixSide(QStringLiteral("teacher"), kLayers, std::move(teacher)),
                MatrixSide(QStringLiteral("student"), kLayers, std::move(student))};
  set->origin = QStringLiteral("a fixture");
  return set;
}

}  // namespace fixture
