// Watching stage 1 work: the student's mixing matrices on one short fixed text, every layer fed what the
// teacher's layer gets. Small enough to keep dozens of times a run (half precision, a few hundred KB each).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/mixing/capture.h"
#include "core/training/trainable_model.h"

namespace tandem::training {

inline constexpr std::int64_t kProbeTokens = 64;  // at most

/// Whether matrices are kept after update `step` of a stage of `steps`: of about two dozen, half are spread
/// evenly and half ever closer towards the beginning, where most happens. The last one always.
bool is_snapshot_step(std::int64_t step, std::int64_t steps);

/// Confined.
class Probe {
 public:
  /// Runs the teacher over the text. Errors: those of capture().
  static Result<Probe> make(Context& context, const Model& teacher, std::span<const std::int32_t> ids);

  /// The teacher's matrices.
  const std::shared_ptr<const Capture>& teacher() const { return teacher_; }
  /// The student's, with D apart, as capture() gives them; only `matrix` and `skip`, and no layers that keep
  /// attention: those have no distance to lose.
  std::shared_ptr<const Capture> student(Context& context, TrainableModel& model) const;

 private:
  explicit Probe(Capture teacher) : teacher_(std::make_shared<const Capture>(std::move(teacher))) {}
  std::shared_ptr<const Capture> teacher_;
};

}  // namespace tandem::training
