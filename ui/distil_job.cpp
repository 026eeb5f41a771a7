#include "ui/distil_job.h"

#include <exception>
#include <utility>

#include "ui/session_files.h"
#include "ui/thread_priority.h"

namespace tandem::ui {

DistilJob::DistilJob(tandem::training::Recipe recipe, tandem::training::TrainingOptions options,
                     SessionSource source)
    : m_recipe(std::move(recipe)),
      m_options(std::move(options)),
      m_source(std::move(source)),
      m_thread([this](const std::stop_token& stop) { run(stop); }) {}

DistilJob::~DistilJob() {
  stop();
  m_thread.join();
}

void DistilJob::stop() {
  m_thread.request_stop();
}

DistilJob::Progress DistilJob::take() {
  const std::scoped_lock lock(m_mutex);
  Progress taken = std::exchange(m_progress, {});
  m_progress.finished = taken.finished;
  return taken;
}

void DistilJob::run(const std::stop_token& stop) {
  lowerPriority();
  std::optional<tandem::Error> error;
  try {
    if (const tandem::Status status = train(stop); !status) error = status.error();
  } catch (const std::exception& e) {  // out of memory: nothing nearer can handle it
    error =
        tandem::Error{tandem::ErrorCode::OutOfRange, std::string("The training ended early: ") + e.what()};
  }
  const std::scoped_lock lock(m_mutex);
  m_progress.error = std::move(error);
  m_progress.finished = true;
}

tandem::Status DistilJob::train(const std::stop_token& stop) {
  TANDEM_TRY(m_session, m_source());
  m_mark = markRecording(QString::fromStdString(m_session->path()));
  tandem::TrainingRecorder recorder(*m_session, m_recipe, m_options, this);
  m_recorder = &recorder;
  const auto result = run_training(m_recipe, m_options, recorder, stop);
  TANDEM_RETURN_IF_ERROR(m_session->flush());
  return result ? tandem::Status() : tandem::Status(result.error());
}

void DistilJob::on_sampled(std::int64_t done, std::int64_t problems) {
  const std::scoped_lock lock(m_mutex);
  m_progress.sampled = done;
  m_progress.toSample = problems;
}

tandem::Status DistilJob::on_begin(const tandem::training::TrainingStart& /*start*/) {
  const std::scoped_lock lock(m_mutex);
  m_progress.session = m_session;
  m_progress.trainingId = m_recorder->training_id();
  return {};
}

tandem::Status DistilJob::on_update(const tandem::training::TrainingUpdate& update) {
  const std::scoped_lock lock(m_mutex);
  m_progress.updates.push_back(update);
  return {};
}

tandem::Status DistilJob::on_event(const tandem::training::TrainingEvent& /*event*/) {
  const std::scoped_lock lock(m_mutex);
  m_progress.eventsChanged = true;
  return {};
}

tandem::Status DistilJob::on_snapshot(const tandem::training::TrainingSnapshot& /*snapshot*/) {
  const std::scoped_lock lock(m_mutex);
  m_progress.snapshotsChanged = true;
  return {};
}

}  // namespace tandem::ui
