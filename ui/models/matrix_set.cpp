#include "ui/models/matrix_set.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace tandem::ui {
namespace {

/// Position of a head in a layer's stacks, or -1.
std::int64_t slotOf(const LayerMatrices& layer, int head) {
  const auto found = std::find(layer.heads.begin(), layer.heads.end(), head);
  return found == layer.heads.end() ? -1 : found - layer.heads.begin();
}

TensorView headOf(const Tensor& stack, const LayerMatrices* layer, int head) {
  if (layer == nullptr || stack.empty()) return {};
  const std::int64_t slot = slotOf(*layer, head);
  if (slot < 0) return {};
  return stack.view().rows(slot, 1).reshape(Shape{stack.shape()[1], stack.shape()[2]});
}

MixerKind kindFromName(const std::string& name) {
  for (const MixerKind kind : kMixerKinds)
    if (name == mixer_kind_name(kind)) return kind;
  return MixerKind::Attention;
}

using RowsByLayer = std::map<std::int64_t, std::vector<StoredMatrix*>>;

/// Stacks the recorded heads of one layer; `what` names the kind of matrix.
Tensor stackOf(const std::vector<StoredMatrix*>& rows, const std::vector<std::int64_t>& heads,
               const char* what, std::int64_t seqlen) {
  Tensor stack;
  for (const StoredMatrix* row : rows) {
    if (row->what != what || row->values.elements() != seqlen * seqlen) continue;
    if (stack.empty()) stack = Tensor(Shape{static_cast<std::int64_t>(heads.size()), seqlen, seqlen});
    const auto slot = std::lower_bound(heads.begin(), heads.end(), row->head) - heads.begin();
    std::memcpy(stack.view().row(slot), row->values.f32(), static_cast<std::size_t>(row->values.bytes()));
  }
  return stack;
}

MatrixSide recordedSide(const SessionModel& model, const std::vector<std::int32_t>& ids,
                        const RowsByLayer& byLayer) {
  Capture capture;
  capture.ids = ids;
  const auto seqlen = static_cast<std::int64_t>(ids.size());
  std::int64_t count = 0;
  for (const auto& [index, rows] : byLayer) {
    LayerMatrices layer;
    layer.layer = index;
    layer.kind = kindFromName(rows.front()->kind);
    for (const StoredMatrix* row : rows)
      if (row->what == "matrix") layer.heads.push_back(row->head);
    std::sort(layer.heads.begin(), layer.heads.end());
    // A text captured twice is there twice; the later rows win.
    layer.heads.erase(std::unique(layer.heads.begin(), layer.heads.end()), layer.heads.end());
    layer.matrix = stackOf(rows, layer.heads, "matrix", seqlen);
    layer.decay = stackOf(rows, layer.heads, "decay", seqlen);
    layer.content = stackOf(rows, layer.heads, "content", seqlen);
    count = std::max(count, index + 1);
    capture.layers.push_back(std::move(layer));
  }
  return {QString::fromStdString(model.name), static_cast<int>(count), std::move(capture)};
}

/// Groups one model's rows by text, then by layer, keeping the order in which texts first appear.
std::vector<std::pair<std::vector<std::int32_t>, RowsByLayer>> byText(std::vector<StoredMatrix>& rows) {
  std::vector<std::pair<std::vector<std::int32_t>, RowsByLayer>> texts;
  for (StoredMatrix& row : rows) {
    auto found = std::find_if(texts.begin(), texts.end(), [&](const auto& t) { return t.first == row.ids; });
    if (found == texts.end()) found = texts.insert(texts.end(), {row.ids, {}});
    found->second[row.layer].push_back(&row);
  }
  return texts;
}

}  // namespace

MatrixSide::MatrixSide(QString name, int layerCount, Capture capture)
    : m_name(std::move(name)), m_layerCount(layerCount), m_capture(std::move(capture)) {}

const LayerMatrices* MatrixSide::layer(int layer) const {
  const auto& layers = m_capture.layers;
  const auto found =
      std::find_if(layers.begin(), layers.end(), [&](const LayerMatrices& l) { return l.layer == layer; });
  return found == layers.end() ? nullptr : &*found;
}

int MatrixSide::heads(int layer) const {
  const LayerMatrices* matrices = this->layer(layer);
  if (matrices == nullptr || matrices->heads.empty()) return 0;
  return static_cast<int>(*std::max_element(matrices->heads.begin(), matrices->heads.end())) + 1;
}

TensorView MatrixSide::matrix(int layer, int head) const {
  const LayerMatrices* matrices = this->layer(layer);
  return matrices ? headOf(matrices->matrix, matrices, head) : TensorView();
}

TensorView MatrixSide::decay(int layer, int head) const {
  const LayerMatrices* matrices = this->layer(layer);
  return matrices ? headOf(matrices->decay, matrices, head) : TensorView();
}

TensorView MatrixSide::content(int layer, int head) const {
  const LayerMatrices* matrices = this->layer(layer);
  return matrices ? headOf(matrices->content, matrices, head) : TensorView();
}

std::optional<float> MatrixSide::skip(int layer, int head) const {
  const LayerMatrices* matrices = this->layer(layer);
  if (matrices == nullptr || matrices->skip.empty()) return {};
  const std::int64_t slot = slotOf(*matrices, head);
  if (slot < 0) return {};
  return matrices->skip.f32()[slot];
}

Tensor MatrixSide::matrixWithSkip(int layer, int head) const {
  const TensorView view = matrix(layer, head);
  if (view.empty()) return {};
  Tensor copy(view.shape());
  std::memcpy(copy.data(), view.data(), static_cast<std::size_t>(copy.bytes()));
  const float d = skip(layer, head).value_or(0.0F);
  for (std::int64_t i = 0; i < view.extent(0); ++i) copy.view().row(i)[i] += d;
  return copy;
}

bool MatrixSet::pairsOneToOne(int layer) const {
  return teacher().heads(layer) == student().heads(layer);
}

bool MatrixSet::knowsSkip() const {
  const auto& layers = student().capture().layers;
  return std::any_of(layers.begin(), layers.end(),
                     [](const LayerMatrices& layer) { return !layer.skip.empty(); });
}

bool MatrixSet::contains(const HeadPair& pair) const {
  return !teacher().matrix(pair.layer, pair.teacher).empty() ||
         !student().matrix(pair.layer, pair.student).empty();
}

Tensor differenceOf(TensorView student, TensorView teacher) {
  Tensor difference(student.shape());
  for (std::int64_t i = 0; i < student.extent(0); ++i)
    for (std::int64_t j = 0; j <= i; ++j) difference.view().row(i)[j] = student.row(i)[j] - teacher.row(i)[j];
  return difference;
}

CellValues cellValues(const MatrixSet& set, const HeadPair& pair, bool includeSkip, int query, int key) {
  CellValues cell;
  if (query < 0 || key < 0 || query >= set.seqlen() || key >= set.seqlen()) return cell;
  cell.query = query;
  cell.key = key;
  if (key > query) return cell;
  const auto read = [&](TensorView view) -> std::optional<double> {
    if (view.empty()) return {};
    return view.row(query)[key];
  };
  cell.teacher = read(set.teacher().matrix(pair.layer, pair.teacher));
  cell.student = read(set.student().matrix(pair.layer, pair.student));
  cell.decay = read(set.student().decay(pair.layer, pair.student));
  cell.content = read(set.student().content(pair.layer, pair.student));
  if (includeSkip && query == key && cell.student) {
    cell.skip = set.student().skip(pair.layer, pair.student);
    cell.student = *cell.student + cell.skip.value_or(0.0);
  }
  if (cell.teacher && cell.student) cell.difference = *cell.student - *cell.teacher;
  return cell;
}

QString visibleToken(const QString& piece) {
  QString shown;
  for (const QChar c : piece) {
    if (c == QLatin1Char(' '))
      shown += QChar(0x00B7);
    else if (c == QLatin1Char('\n'))
      shown += QChar(0x23CE);
    else if (c.unicode() < 0x20 || c.unicode() == 0x7F)
      shown += QStringLiteral("\\x%1").arg(c.unicode(), 2, 16, QLatin1Char('0'));
    else
      shown += c;
  }
  return shown;
}

std::vector<MatrixSetPtr> recordedSets(const SessionModel& teacher, std::vector<StoredMatrix> teacherRows,
                                       const SessionModel& student, std::vector<StoredMatrix> studentRows,
                                       const std::function<QString(std::int32_t)>& tokenName) {
  std::vector<MatrixSetPtr> sets;
  const auto teacherTexts = byText(teacherRows);
  for (const auto& [ids, studentLayers] : byText(studentRows)) {
    const auto match = std::find_if(teacherTexts.begin(), teacherTexts.end(),
                                    [&, &text = ids](const auto& t) { return t.first == text; });
    if (match == teacherTexts.end()) continue;
    auto set = std::make_shared<MatrixSet>();
    set->ids = ids;
    for (const std::int32_t id : ids) set->tokens.append(tokenName(id));
    set->sides = {recordedSide(teacher, ids, match->second), recordedSide(student, ids, studentLayers)};
    set->recorded = true;
    sets.push_back(std::move(set));
  }
  return sets;
}

}  // namespace tandem::ui
