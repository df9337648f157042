// Contexts: sequences and the forward pass.
#include "objects.h"
#include "options.h"

namespace quern_python {
namespace {

Context create_context(const Model& model, const py::kwargs& given) {
  Kwargs kwargs("Context", given);
  ContextArgs args;
  AdapterArgs adapters;
  args.read(kwargs);
  adapters.read(kwargs);
  kwargs.finish();
  const auto handle = model.get();
  quern_context* made = nullptr;
  Outcome outcome;
  {
    py::gil_scoped_release release;
    outcome = outcome_of([&] { return quern_context_create(handle.get(), &args.options, &made); });
  }
  raise_unless_ok(outcome);
  Context context{{own<quern_context, quern_context_close>(made), "Context"}, handle};
  const int32_t n_seq_max = args.options.n_seq_max ? static_cast<int32_t>(args.options.n_seq_max) : 1;
  for (int32_t s = 0; adapters.given && s < n_seq_max; ++s) {
    call([&] { return quern_context_set_adapters(made, s, adapters.get(), adapters.uses.size()); });
  }
  return context;
}

void decode(const Context& context, const py::object& batch, const py::kwargs& given) {
  Kwargs kwargs("decode", given);
  LongCall long_call;
  long_call.read(kwargs);
  kwargs.finish();
  std::vector<quern_batch_token> tokens;
  for (const auto& one : batch) {
    const auto row = py::reinterpret_borrow<py::sequence>(one);
    if (row.size() < 3 || row.size() > 4) {
      throw py::value_error(
          "decode(): rows (token, position, sequence) or (token, position, sequence, logits) expected");
    }
    const bool logits = row.size() == 4 && py::bool_(row[3]);
    tokens.push_back({row[0].cast<quern_token>(), row[1].cast<int32_t>(), row[2].cast<int32_t>(), logits ? 1 : 0});
  }
  quern_decode_options o{sizeof(quern_decode_options), long_call.progress_fn(), &long_call, long_call.cancel()};
  long_call.run_with<quern_context>(context.handle, [&](quern_context* handle) {
    return quern_context_decode(handle, tokens.data(), tokens.size(), &o);
  });
}

void append(const Context& context, const py::object& given_tokens, int32_t sequence, bool all_logits,
            const py::kwargs& given) {
  Kwargs kwargs("append", given);
  LongCall long_call;
  long_call.read(kwargs);
  kwargs.finish();
  const auto tokens = tokens_of(given_tokens, context.model.get());
  quern_decode_options o{sizeof(quern_decode_options), long_call.progress_fn(), &long_call, long_call.cancel()};
  const auto append_to = [&](quern_context* handle) {
    return quern_context_append(handle, tokens.data(), tokens.size(), sequence, all_logits ? 1 : 0, &o);
  };
  if (tokens.size() > 1 || !long_call.progress.is_none()) {
    long_call.run_with<quern_context>(context.handle, append_to);
    return;
  }
  // One token is a step: a signal waits for its end.
  const auto inner = context.handle.inner();
  Outcome outcome;
  {
    py::gil_scoped_release release;
    Hold hold(*inner);
    outcome = outcome_of([&] { return append_to(inner->handle.get()); });
  }
  raise_unless_ok(outcome);
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

std::shared_ptr<quern_logits> share_logits(const Context& context) {
  quern_logits* made = nullptr;
  const Outcome outcome = ask(context.handle, [&](quern_context* handle) {
    return outcome_of([&] { return quern_context_share_logits(handle, &made); });
  });
  raise_unless_ok(outcome);
  return own<quern_logits, quern_logits_close>(made);
}

py::object all_logits(const Context& context) {
  const auto logits = share_logits(context);
  return float_array(quern_logits_get(logits.get(), 0), quern_logits_n_rows(logits.get()),
                     quern_logits_n_vocab(logits.get()), logits);
}

py::object last_logits(const Context& context) {
  const auto logits = share_logits(context);
  const size_t n = quern_logits_n_rows(logits.get());
  if (n == 0) raise_status(QUERN_ERROR_ARGUMENT, "the last decode made no logits");
  return float_array(quern_logits_get(logits.get(), n - 1), std::nullopt, quern_logits_n_vocab(logits.get()), logits);
}

template <class F>
void change(const Context& context, F&& f) {
  raise_unless_ok(ask(context.handle, [&](quern_context* handle) { return outcome_of([&] { return f(handle); }); }));
}

py::bytes save(const Context& context, int32_t sequence) {
  std::string state;
  change(context, [&](quern_context* handle) {
    size_t needed = 0;
    const quern_status status = quern_context_sequence_save(handle, sequence, nullptr, 0, &needed);
    if (status != QUERN_OK && status != QUERN_ERROR_BUFFER_TOO_SMALL) return status;
    state.resize(needed);
    return quern_context_sequence_save(handle, sequence, state.data(), state.size(), &needed);
  });
  return py::bytes(state);
}

void bind_sequences(py::class_<Context>& c) {
  c.def(
       "sequence_length",
       [](const Context& context, int32_t sequence) {
         return ask(context.handle, [&](quern_context* h) { return quern_context_sequence_length(h, sequence); });
       },
       py::arg("sequence") = 0)
      .def(
          "next_position",
          [](const Context& context, int32_t sequence) {
            return ask(context.handle, [&](quern_context* h) { return quern_context_next_position(h, sequence); });
          },
          py::arg("sequence") = 0)
      .def(
          "sequence_tokens",
          [](const Context& context, int32_t sequence) {
            std::vector<quern_token> tokens;
            change(context, [&](quern_context* h) {
              size_t needed = 0;
              tokens.resize(quern_context_sequence_length(h, sequence));
              return quern_context_sequence_tokens(h, sequence, tokens.data(), tokens.size(), &needed);
            });
            return tokens;
          },
          py::arg("sequence") = 0)
      .def(
          "sequence_remove",
          [](const Context& context, int32_t sequence, int32_t start, int32_t end) {
            change(context, [&](quern_context* h) { return quern_context_sequence_remove(h, sequence, start, end); });
          },
          py::arg("sequence"), py::arg("start"), py::arg("end") = -1,
          "Forgets the tokens at positions start ... end-1; end < 0 means the end.")
      .def(
          "sequence_rewind",
          [](const Context& context, int32_t sequence, int32_t position) {
            int32_t reached = 0;
            change(context,
                   [&](quern_context* h) { return quern_context_sequence_rewind(h, sequence, position, &reached); });
            return reached;
          },
          py::arg("sequence"), py::arg("position"),
          "Goes back to a position, or as close before it as the model's memory allows, which is returned.")
      .def(
          "sequence_keep",
          [](const Context& context, int32_t sequence) {
            change(context, [&](quern_context* h) { return quern_context_sequence_keep(h, sequence); });
          },
          py::arg("sequence"), "Forgets every sequence but this one.")
      .def(
          "sequence_fork",
          [](const Context& context, int32_t from, int32_t to) {
            change(context, [&](quern_context* h) { return quern_context_sequence_fork(h, from, to); });
          },
          py::arg("from_sequence"), py::arg("to_sequence"), "Makes a copy that shares memory until the two diverge.")
      .def("sequence_save", &save, py::arg("sequence") = 0, "The state of one sequence as bytes.")
      .def(
          "sequence_restore",
          [](const Context& context, const py::bytes& state, int32_t sequence) {
            const auto view = static_cast<std::string_view>(state);
            change(context, [&](quern_context* h) {
              return quern_context_sequence_restore(h, sequence, view.data(), view.size());
            });
          },
          py::arg("state"), py::arg("sequence") = 0)
      .def(
          "set_adapters",
          [](const Context& context, const py::object& adapters, int32_t sequence) {
            AdapterArgs args;
            args.read(adapters);
            change(context, [&](quern_context* h) {
              return quern_context_set_adapters(h, sequence, args.get(), args.uses.size());
            });
          },
          py::arg("adapters"), py::arg("sequence") = 0,
          "What the sequence is computed with from now on: [adapter, (adapter, scale), ...].")
      .def(
          "clear",
          [](const Context& context) {
            change(context, [](quern_context* h) { return quern_context_clear(h), QUERN_OK; });
          },
          "Forgets every sequence.");
}

}  // namespace

void bind_context(py::module_& m) {
  py::class_<Context> c(m, "Context",
                        "Context(model, *, n_ctx=0, n_batch=512, n_seq_max=1, type_k='f16', type_v='f16', "
                        "n_checkpoints=32, adapters=None)\n\n"
                        "The key-value cache of sequences, and the forward pass. One thread uses it at a time; others "
                        "wait.");
  c.def(py::init(&create_context), py::arg("model"))
      .def("decode", &decode, py::arg("batch"),
           "decode(batch, *, progress=None, cancel=None): runs rows (token, position, sequence[, logits]). On an error "
           "the sequences are as they were.")
      .def("append", &append, py::arg("tokens"), py::arg("sequence") = 0, py::arg("all_logits") = false,
           "append(tokens, sequence=0, all_logits=False, *, progress=None, cancel=None): appends tokens to a sequence, "
           "with logits of the last one or of all.")
      .def_property_readonly("n_logits",
                             [](const Context& context) {
                               return ask(context.handle, [](quern_context* h) { return quern_context_n_logits(h); });
                             })
      .def_property_readonly(
          "logits", &all_logits,
          "float32 [n_logits, n_vocab] of the last decode, read-only and not copied. It stays as it is "
          "after the next decode, which then takes new memory.")
      .def_property_readonly("last_logits", &last_logits, "float32 [n_vocab] of the last row, in the same way.")
      .def_property_readonly("n_ctx",
                             [](const Context& context) {
                               return ask(context.handle, [](quern_context* h) { return quern_context_n_ctx(h); });
                             })
      .def_property_readonly("n_used",
                             [](const Context& context) {
                               return ask(context.handle, [](quern_context* h) { return quern_context_n_used(h); });
                             })
      .def_property_readonly("cache_bytes",
                             [](const Context& context) {
                               return ask(context.handle,
                                          [](quern_context* h) { return quern_context_cache_bytes(h); });
                             })
      .def_property_readonly("closed", [](const Context& context) { return context.handle.closed(); })
      .def("close", [](Context& context) { context.handle.close(); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Context& context, const py::args&) { context.handle.close(); });
  bind_sequences(c);
}

}  // namespace quern_python
