// What the Coverage view shows, computed off the GUI thread: core's coverage report, and what the problem
// strip needs.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <QElapsedTimer>
#include <QFutureWatcher>
#include <QObject>
#include <QString>
#include <QTimer>

#include "core/session/session.h"
#include "core/statistics/session_coverage.h"
#include "ui/theme.h"
#include "ui/widgets/outcome_strip.h"

namespace tandem::ui {

/// Immutable once made.
struct CoverageData {
  tandem::CoverageReport report;
  struct Item {
    std::int64_t problemId = 0;  // row in the session
    OutcomeCell cell;
  };
  std::vector<Item> items;  // from easy to hard
  QString device;
  bool together = false;  // some run shared the device: its seconds are not a measurement
  QString error;          // why there is no report; then the rest is empty

  bool empty() const { return report.runs.empty(); }
  /// Side by role; index of a side's first run, or -1.
  static Side side(const tandem::RunCoverage& run) { return run.is_teacher ? Side::Teacher : Side::Student; }
  int runOf(Side side) const;
  /// "Teacher", "Student", or the model's name when a side has several runs.
  QString runLabel(std::size_t run) const;
};

/// Values of k and seconds that were typed and so must be in the grids exactly.
struct CoverageGrid {
  std::optional<int> k;
  std::optional<double> seconds;
  bool operator==(const CoverageGrid&) const = default;
};

CoverageData loadCoverage(const tandem::Session& session, const CoverageGrid& grid);

/// Completions a run finishes by t seconds, median over problems: the grid's last value at or before t.
double completionsBy(const tandem::CoverageReport& report, std::size_t run, double seconds);
/// Least grid seconds by which a run has finished k completions of the median problem; empty when it never
/// has.
std::optional<double> secondsFor(const tandem::CoverageReport& report, std::size_t run, double k);
/// Index of the grid value nearest on a logarithmic scale; grid not empty.
std::size_t nearestIndex(const std::vector<double>& grid, double value);

/// Runs loadCoverage in the background, one at a time, always ending with the latest request.
class CoverageLoader : public QObject {
  Q_OBJECT
 public:
  explicit CoverageLoader(QObject* parent = nullptr);
  ~CoverageLoader() override;  // waits

  /// Paced requests wait until a second has passed, and until the statistics take at most a tenth of one
  /// core: what a run measures must not suffer from being looked at.
  void request(std::shared_ptr<const tandem::Session> session, const CoverageGrid& grid, bool paced);
  void cancel();  // forgets requests and results on their way
  bool busy() const { return m_wanted || m_computing; }

 signals:
  void loaded(std::shared_ptr<const tandem::ui::CoverageData> data);

 private:
  struct Request {
    std::shared_ptr<const tandem::Session> session;
    CoverageGrid grid;
    bool paced = false;
  };
  void start();
  void finished();

  std::optional<Request> m_wanted;
  bool m_computing = false;  // until the result was delivered: the watcher stops running before that
  bool m_discard = false;
  QElapsedTimer m_started;
  QTimer m_pause;  // active while it is too early for a paced request
  QFutureWatcher<std::shared_ptr<const CoverageData>> m_watcher;
};

}  // namespace tandem::ui
