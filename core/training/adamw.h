// AdamW over all parameters of a model, with clipping by the global norm.
#pragma once

#include <cstdint>
#include <vector>

#include "core/training/parameter.h"
#include "kernels/base/context.h"

namespace tandem::training {

struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0;
  double clip = 1;  // largest norm of all gradients together; 0: no clipping
};

/// Confined. Keeps two moments per parameter.
class AdamW {
 public:
  /// `parameters` must outlive it and get no new members.
  AdamW(ParameterSet& parameters, const AdamWSettings& settings);

  /// One update of the trainable parameters from their gradients.
  /// @return the norm of the gradients before clipping. Where it is not finite nothing is changed.
  double update(Context& context, double learning_rate);

  std::int64_t updates() const { return updates_; }

  /// Moves the moments, made on the host, to where the context computes.
  void place(Context& context);

  /// Moments under the parameters' names, for checkpoints: "adam_m.NAME", "adam_v.NAME".
  std::vector<NamedTensor> tensors() const;
  /// To be called before place(). Errors: those of Checkpoint::read.
  Status read(const Checkpoint& checkpoint, std::int64_t updates);

 private:
  ParameterSet& parameters_;
  AdamWSettings settings_;
  std::vector<Tensor> means_;
  std::vector<Tensor> squares_;
  std::int64_t updates_ = 0;
};

}  // namespace tandem::training
