#include "ui/selection_model.h"

namespace tandem::ui {
namespace {

template <typename T>
bool assign(T& member, T value) {
  if (member == value) return false;
  member = value;
  return true;
}

}  // namespace

void SelectionModel::setLayer(int value) {
  if (assign(m_layer, value)) emit changed(Layer);
}

void SelectionModel::setHead(int value) {
  if (assign(m_head, value)) emit changed(Head);
}

void SelectionModel::setCell(int query, int key) {
  Fields fields;
  if (assign(m_query, query)) fields |= Query;
  if (assign(m_key, key)) fields |= Key;
  if (fields) emit changed(fields);
}

void SelectionModel::setProblem(int value) {
  if (assign(m_problem, value)) emit changed(ProblemIndex);
}

void SelectionModel::setCompletion(int value) {
  if (assign(m_completion, value)) emit changed(CompletionIndex);
}

void SelectionModel::setK(int value) {
  if (assign(m_k, value)) emit changed(K);
}

void SelectionModel::setSeconds(double value) {
  if (assign(m_seconds, value)) emit changed(Seconds);
}

void SelectionModel::setLinked(bool value) {
  if (assign(m_linked, value)) emit changed(Linked);
}

}  // namespace tandem::ui
