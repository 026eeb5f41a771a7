// Runs tandem::bench on a worker thread and brings its progress and result to the GUI thread.
#pragma once

#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include <QObject>
#include <QString>

#include "core/jobs/bench.h"

namespace tandem::ui {

class BenchRunner : public QObject {
  Q_OBJECT
 public:
  using QObject::QObject;  // destroying it stops the measurement and waits for the bar in hand

  void start(std::vector<std::shared_ptr<const tandem::Model>> models, const tandem::BenchOptions& options);
  void stop();  // what was measured until then arrives as a result
  bool isRunning() const { return m_running; }

 signals:
  void progress(int done, int total, const QString& what);
  void finished(std::shared_ptr<const tandem::BenchReport> report);
  void failed(const QString& sentence);

 private:
  bool m_running = false;
  std::jthread m_thread;
};

}  // namespace tandem::ui
