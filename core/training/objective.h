// What a stage minimises: given a batch, the loss and the gradients of the student's parameters.
#pragma once

#include <memory>
#include <vector>

#include "core/models/model.h"
#include "core/training/batch.h"
#include "core/training/recipe.h"
#include "core/training/trainable_model.h"

namespace tandem::training {

/// Confined.
class Objective {
 public:
  virtual ~Objective() = default;
  /// Freezes what the goal does not train and thaws the rest.
  virtual void select_parameters(TrainableModel& model) const;
  /// Adds this micro-batch's gradients. @return its share of the loss, such that the shares of an update's
  /// micro-batches add up.
  virtual double accumulate(Context& context, TrainableModel& model, const Batch& batch) = 0;
  /// Per-layer distances of the last update, where the goal has them (matrices: Frobenius per head; hidden:
  /// L2 per token); empty otherwise. Clears them.
  struct Distances {
    std::vector<double> absolute;
    std::vector<double> relative;  // to the same norm of what the teacher has; 0 where nothing is compared
  };
  virtual Distances take_distances() { return {}; }
};

/// `teacher` may be null for Goal::Tokens and Goal::Outcome. `accumulate`: micro-batches per update.
std::unique_ptr<Objective> make_objective(Goal goal, std::shared_ptr<const Model> teacher,
                                          std::int64_t accumulate);

}  // namespace tandem::training
