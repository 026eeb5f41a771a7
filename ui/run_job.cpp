#include "ui/run_job.h"

#include <exception>
#include <utility>

#include "ui/session_files.h"
#include "ui/thread_priority.h"

namespace tandem::ui {
RunJob::RunJob(std::vector<tandem::EvaluateRequest> requests, SessionSource source, std::string verifier)
    : m_requests(std::move(requests)),
      m_source(std::move(source)),
      m_verifier(std::move(verifier)),
      m_thread([this](const std::stop_token& stop) { run(stop); }) {}

RunJob::~RunJob() {
  stop();
  m_thread.join();
}

void RunJob::stop() {
  m_thread.request_stop();
}

RunJob::Progress RunJob::take() {
  const std::scoped_lock lock(m_mutex);
  Progress taken = std::exchange(m_progress, {});
  m_progress.finished = taken.finished;
  return taken;
}

void RunJob::run(const std::stop_token& stop) {
  lowerPriority();
  std::optional<tandem::Error> error;
  try {
    if (const tandem::Status status = evaluateAll(stop); !status) error = status.error();
  } catch (const std::exception& e) {  // out of memory: nothing nearer can handle it
    error = tandem::Error{tandem::ErrorCode::OutOfRange, std::string("The run ended early: ") + e.what()};
  }
  m_requests.clear();  // here and not with the job: a verifier's memory on a device takes its time
  const std::scoped_lock lock(m_mutex);
  m_progress.error = std::move(error);
  m_progress.finished = true;
}

tandem::Status RunJob::evaluateAll(const std::stop_token& stop) {
  if (!m_verifier.empty()) {
    tandem::LoadOptions options;
    options.device = m_requests.front().models.front()->device();
    TANDEM_TRY(const auto verifier, tandem::open_model(m_verifier, options));
    for (tandem::EvaluateRequest& request : m_requests) request.verifier = verifier;
  }
  TANDEM_TRY(const std::shared_ptr<tandem::Session> session, m_source());
  m_mark = markRecording(QString::fromStdString(session->path()));
  {
    const std::scoped_lock lock(m_mutex);
    m_progress.session = session;
  }
  for (const tandem::EvaluateRequest& request : m_requests) {
    m_set = request.set.name;
    TANDEM_RETURN_IF_ERROR(tandem::evaluate(request, *session, this, stop));
  }
  return session->flush();
}

RunJob::Segment& RunJob::segment() {
  if (m_progress.segments.empty() || m_progress.segments.back().problemDone)
    m_progress.segments.emplace_back();
  return m_progress.segments.back();
}

void RunJob::on_plan(std::int64_t pending, std::int64_t /*complete*/) {
  const std::scoped_lock lock(m_mutex);
  m_progress.planned += static_cast<int>(pending);
}

void RunJob::on_problem(int side, const tandem::Problem& problem, std::int64_t runId,
                        std::int64_t problemId) {
  const std::scoped_lock lock(m_mutex);
  m_progress.segments.emplace_back().start = LiveStart{side, m_set, problem.index, runId, problemId};
}

void RunJob::on_prefill(int side, double seconds, std::int64_t tokens) {
  const std::scoped_lock lock(m_mutex);
  segment().batch.prefills.append({side, seconds, tokens});
}

void RunJob::on_step(int side, const tandem::StepSample& sample, std::span<const tandem::TokenEvent> tokens) {
  QVector<LiveToken> converted;  // outside the lock, and not on the window's thread
  converted.reserve(static_cast<qsizetype>(tokens.size()));
  for (const tandem::TokenEvent& token : tokens) {
    converted.append({side, token.index, QString::fromStdString(token.text), token.logprob});
  }
  const std::scoped_lock lock(m_mutex);
  LiveBatch& batch = segment().batch;
  batch.steps.append({side, sample});
  batch.tokens += converted;
}

void RunJob::on_completion(int side, const tandem::SessionCompletion& completion) {
  const std::scoped_lock lock(m_mutex);
  segment().batch.completions.emplace_back(side, completion);
}

void RunJob::on_problem_done(int /*side*/, const tandem::ProblemTiming& /*timing*/) {
  const std::scoped_lock lock(m_mutex);
  segment().problemDone = true;
}

}  // namespace tandem::ui
