#include "ui/views/matrices_source.h"

#include <algorithm>

#include <QCoreApplication>

#include "ui/format.h"

namespace tandem::ui {
namespace {

QString tr(const char* text) {
  return QCoreApplication::translate("MatricesSource", text);
}

QString sentence(const Error& error) {
  return QString::fromStdString(error.message);
}

std::vector<std::int32_t> idsFor(const Model& model, const CaptureText& text) {
  if (text.completion.empty()) {
    const std::string whole = text.solution.empty() ? text.prompt : text.prompt + " " + text.solution;
    return model.tokenizer().encode(whole);
  }
  std::vector<std::int32_t> ids = model.tokenizer().encode(text.prompt);
  ids.insert(ids.end(), text.completion.begin(), text.completion.end());
  return ids;
}

/// Bytes of one layer's stacks: a matrix, and its two factors where it has them.
std::int64_t layerBytes(const LayerInfo& layer, std::int64_t seqlen) {
  const std::int64_t stacks = has_factors(layer.mixer) ? 3 : 1;
  return stacks * layer.nheads * seqlen * seqlen * static_cast<std::int64_t>(sizeof(float));
}

/// One side's matrices; `layers` empty = all. Errors: those of capture(); OutOfRange when the model's device
/// fails or has no room.
Result<Capture> captureSide(const Model& model, std::span<const std::int32_t> ids,
                            std::vector<std::int64_t> layers, int threads, std::stop_token stop) {
  const auto count = static_cast<std::int64_t>(model.info().layers.size());
  std::erase_if(layers, [count](std::int64_t layer) { return layer >= count; });
  CaptureOptions options;
  options.layers = std::move(layers);
  try {
    Context context(threads, model.device());
    TANDEM_TRY(Capture captured, capture(model, ids, options, context, stop));
    captured.logits = Tensor();  // the view shows none, and a large vocabulary makes them large
    return captured;
  } catch (const DeviceError& error) {
    return Error{ErrorCode::OutOfRange, model.info().name + ": " + error.what()};
  }
}

MatrixSide sideOf(const Model& model, Capture capture) {
  return {QString::fromStdString(model.info().name), static_cast<int>(model.info().layers.size()),
          std::move(capture)};
}

/// The matrices captured of the two models. Errors: those of the session.
Result<std::vector<MatrixSetPtr>> capturedSets(const Session& session, const QString& teacher,
                                               const QString& student, const Tokenizer* tokenizer) {
  TANDEM_TRY(const auto models, session.models());
  const auto named = [&](const QString& name) -> const SessionModel* {
    const auto found = std::find_if(models.begin(), models.end(),
                                    [&](const SessionModel& m) { return m.name == name.toStdString(); });
    return found == models.end() ? nullptr : &*found;
  };
  const SessionModel* teacherModel = named(teacher);
  const SessionModel* studentModel = named(student);
  if (teacherModel == nullptr || studentModel == nullptr) return std::vector<MatrixSetPtr>();
  TANDEM_TRY(auto teacherRows, session.matrices(teacherModel->id));
  TANDEM_TRY(auto studentRows, session.matrices(studentModel->id));
  const auto tokenName = [tokenizer](std::int32_t id) {
    return tokenizer != nullptr ? visibleToken(QString::fromStdString(tokenizer->piece(id)))
                                : QStringLiteral("#%1").arg(id);
  };
  return recordedSets(*teacherModel, std::move(teacherRows), *studentModel, std::move(studentRows),
                      tokenName);
}

}  // namespace

Result<CaptureText> completionText(const Session& session, std::int64_t runId, std::int64_t problemId,
                                   int completion, CaptureText prompt) {
  TANDEM_TRY(const auto completions, session.completions(runId, problemId));
  const auto found = std::find_if(completions.begin(), completions.end(), [&](const SessionCompletion& c) {
    return c.completion.index == completion;
  });
  if (found == completions.end())
    return Error{ErrorCode::NotFound,
                 tr("The session has no completion %1 of this problem by this model: run the problem first.")
                     .arg(completion + 1)
                     .toStdString()};
  prompt.completion = found->completion.tokens;
  return prompt;
}

Result<std::vector<std::int32_t>> alignedIds(const Model& teacher, const Model& student,
                                             const CaptureText& text) {
  std::vector<std::int32_t> ids = idsFor(teacher, text);
  const std::vector<std::int32_t> others = idsFor(student, text);
  if (ids.empty()) return Error{ErrorCode::InvalidArgument, tr("The text has no tokens.").toStdString()};
  if (ids != others)
    return Error{
        ErrorCode::Mismatch,
        tr("The two models split this text differently (teacher %1 tokens, student %2): their matrices "
           "cannot be laid side by side.")
            .arg(ids.size())
            .arg(others.size())
            .toStdString()};
  return ids;
}

std::int64_t captureBytes(const ModelInfo& teacher, const ModelInfo& student, std::int64_t seqlen) {
  std::int64_t bytes = 0;
  for (const ModelInfo* info : {&teacher, &student})
    for (const LayerInfo& layer : info->layers) bytes += layerBytes(layer, seqlen);
  return bytes;
}

CaptureOutcome captureMatrices(const CaptureRequest& request, std::stop_token stop) {
  const Model& teacherModel = *request.teacher;
  const Model& studentModel = *request.student;
  const auto text = request.text();
  if (!text) return {nullptr, sentence(text.error())};
  const auto ids = alignedIds(teacherModel, studentModel, *text);
  if (!ids) return {nullptr, sentence(ids.error())};
  const std::int64_t bytes =
      captureBytes(teacherModel.info(), studentModel.info(), static_cast<std::int64_t>(ids->size()));
  std::vector<std::int64_t> layers;
  if (bytes > kCaptureBudgetBytes) layers.push_back(request.layer);
  auto teacher = captureSide(teacherModel, *ids, layers, request.threads, stop);
  if (stop.stop_requested()) return {};
  if (!teacher) return {nullptr, sentence(teacher.error())};
  auto student = captureSide(studentModel, *ids, layers, request.threads, stop);
  if (stop.stop_requested()) return {};
  if (!student) return {nullptr, sentence(student.error())};
  auto set = std::make_shared<MatrixSet>();
  set->ids = *ids;
  for (const std::int32_t id : *ids)
    set->tokens.append(visibleToken(QString::fromStdString(teacherModel.tokenizer().piece(id))));
  set->origin = layers.empty() ? text->origin
                               : tr("%1, layer %2 alone (all layers would take %3)")
                                     .arg(text->origin)
                                     .arg(request.layer)
                                     .arg(formatBytes(static_cast<double>(bytes)));
  set->sides = {sideOf(teacherModel, *std::move(teacher)), sideOf(studentModel, *std::move(student))};
  return {std::move(set), {}};
}

QString storeMatrices(Session& session, const ModelInfo& teacher, const ModelInfo& student,
                      const MatrixSet& set) {
  const std::array infos{&teacher, &student};
  for (std::size_t side = 0; side < infos.size(); ++side) {
    const auto id = session.add_model(*infos[side]);
    if (!id) return sentence(id.error());
    if (const Status added = session.add_matrices(*id, set.sides[side].capture()); !added)
      return sentence(added.error());
  }
  const Status flushed = session.flush();
  return flushed ? QString() : sentence(flushed.error());
}

RecordedMatrices readRecordedMatrices(std::shared_ptr<const Session> session, const QString& teacher,
                                      const QString& student, const Tokenizer* tokenizer) {
  RecordedMatrices recorded;
  recorded.session = std::move(session);
  auto sets = capturedSets(*recorded.session, teacher, student, tokenizer);
  if (sets)
    recorded.sets = *std::move(sets);
  else
    recorded.error = sentence(sets.error());
  auto trainings = scrubbableRuns(*recorded.session);
  if (trainings)
    recorded.trainings = *std::move(trainings);
  else
    recorded.error = sentence(trainings.error());
  return recorded;
}

}  // namespace tandem::ui
