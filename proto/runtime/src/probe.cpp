#include "peal/runtime/probe.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <mutex>
#include <vector>

#include "peal/proto/json.hpp"

namespace peal::runtime {
namespace {

using LabelSet = std::vector<std::pair<std::string, std::string>>;

struct Family {
  prometheus::MetricType type = prometheus::MetricType::Counter;
  std::string help;
  std::map<LabelSet, double> values;
};
using Families = std::map<std::string, Family, std::less<>>;

/// Sums what the probes of one scrape say.
class Collection final : public MetricSink {
 public:
  void counter(std::string_view name, std::string_view help, double value, Labels labels) override {
    add(prometheus::MetricType::Counter, name, help, value, labels);
  }
  void gauge(std::string_view name, std::string_view help, double value, Labels labels) override {
    add(prometheus::MetricType::Gauge, name, help, value, labels);
  }
  const Families& families() const { return families_; }

 private:
  void add(prometheus::MetricType type, std::string_view name, std::string_view help, double value,
           Labels labels) {
    auto found = families_.find(name);
    if (found == families_.end()) {
      found = families_.emplace(std::string(name), Family{type, std::string(help), {}}).first;
    }
    LabelSet set;
    for (const auto& [label, text] : labels)
      set.emplace_back(label, text);
    std::ranges::sort(set);
    found->second.values[std::move(set)] += value;
  }

  Families families_;
};

prometheus::ClientMetric client_metric(prometheus::MetricType type, const LabelSet& labels,
                                       double value) {
  prometheus::ClientMetric metric;
  for (const auto& [name, text] : labels)
    metric.label.push_back({name, text});
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return metric;
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[32];
  const bool whole = value == std::floor(value) && std::abs(value) < 9e15;
  const auto written =
      whole ? std::to_chars(buffer, buffer + sizeof buffer, static_cast<std::int64_t>(value))
            : std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, written.ptr);
}

std::string series_name(const std::string& name, const LabelSet& labels) {
  std::string text = name;
  if (labels.empty()) return text;
  char separator = '{';
  for (const auto& [label, value] : labels) {
    text += separator;
    separator = ',';
    text += label + "=\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      if (c == '\n') {
        text += "\\n";
      } else {
        text += c;
      }
    }
    text += '"';
  }
  return text + '}';
}

}  // namespace

struct ProbeRegistry::Impl {
  mutable std::mutex mutex;
  std::vector<const Probe*> probes;  // guarded by mutex, as is every probe's `collect`

  Collection collect() const {
    Collection collection;
    const std::lock_guard lock(mutex);
    for (const Probe* probe : probes)
      probe->collect(collection);
    return collection;
  }
};

ProbeRegistry::ProbeRegistry() : impl_(std::make_shared<Impl>()) {}
ProbeRegistry::~ProbeRegistry() = default;

std::shared_ptr<void> ProbeRegistry::add(const Probe& probe) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->probes.push_back(&probe);
  }
  // The handle may outlive the registry: it holds the table, which is all that it touches.
  return {nullptr, [impl = impl_, which = &probe](void*) {
            const std::lock_guard lock(impl->mutex);
            std::erase(impl->probes, which);
          }};
}

std::string ProbeRegistry::text() const {
  std::vector<prometheus::MetricFamily> families;
  const Collection collection = impl_->collect();
  for (const auto& [name, family] : collection.families()) {
    prometheus::MetricFamily& out = families.emplace_back();
    out.name = name;
    out.help = family.help;
    out.type = family.type;
    for (const auto& [labels, value] : family.values) {
      out.metric.push_back(client_metric(family.type, labels, value));
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

std::string ProbeRegistry::json() const {
  std::string text = "{";
  const Collection collection = impl_->collect();
  for (const auto& [name, family] : collection.families()) {
    for (const auto& [labels, value] : family.values) {
      if (text.size() > 1) text += ',';
      append_json_text(text, series_name(name, labels));
      text += ':';
      append_number(text, value);
    }
  }
  return text + '}';
}

}  // namespace peal::runtime
