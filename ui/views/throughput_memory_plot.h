// What completions cost in memory as their context grows: the teacher's keys and values grow, a recurrent
// state does not. Sizes from the model's own numbers are dashed; what the engine reported while measuring is
// solid.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "core/jobs/bench.h"
#include "core/models/model.h"
#include "ui/theme.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

class EndLabels;

/// Bytes of caches and states of `completions` completions of one prompt, each `context` tokens long (prompt
/// included); the prompt's keys and values are held once.
double memoryBytes(const tandem::ModelInfo& model, std::int64_t completions, std::int64_t prompt,
                   double context);

/// Context at which one completion of the teacher takes as much memory as one of the student; empty when they
/// never cross.
std::optional<double> breakEvenTokens(const tandem::ModelInfo& teacher, const tandem::ModelInfo& student);

class ThroughputMemoryPlot : public Plot {
  Q_OBJECT
 public:
  explicit ThroughputMemoryPlot(QWidget* parent = nullptr);

  bool hasModel() const { return model(Side::Teacher) || model(Side::Student); }
  void setModel(Side side, std::optional<tandem::ModelInfo> model);
  void setReport(std::shared_ptr<const tandem::BenchReport> report);
  /// The second pair of curves: so many completions of one prompt of so many tokens.
  void setCompletions(int completions, std::int64_t prompt);
  void setLogarithmic(bool logarithmic);

 private:
  void rebuild();
  void addFormula(Side side, int completions);
  void addMeasured(const tandem::MemoryPoint& first);
  void addBreakEven();
  double lastContext() const;
  PlotTable numbers() const;
  const std::optional<tandem::ModelInfo>& model(Side side) const {
    return m_models[static_cast<std::size_t>(side)];
  }

  std::array<std::optional<tandem::ModelInfo>, 2> m_models;
  std::shared_ptr<const tandem::BenchReport> m_report;
  int m_completions = 64;
  std::int64_t m_prompt = 512;
  bool m_logarithmic = true;
  EndLabels* m_endLabels;
};

}  // namespace tandem::ui
