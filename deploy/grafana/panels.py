"""What the dashboard shows; `dashboard.py` makes Grafana's JSON of it.

A panel's id is fixed, as links and alerts may name it: a new panel gets a new id.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries` are pairs of PromQL and legend; `width` is of 24, `steps` are thresholds: from this value on, this colour."""

    id: int
    title: str
    about: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    steps: tuple[tuple[float, str], ...] = ()
    words: dict[int, tuple[str, str]] = field(default_factory=dict)
    """What a value means: a word and its colour."""
    names: bool = False
    """Show the legend in the place of the value."""
    stacked: bool = False
    most: float | None = None
    """Where the axis ends."""
    nothing: str = "no data"
    """The text of a panel without series."""


@dataclass(frozen=True, slots=True)
class PanelRow:
    id: int
    title: str
    panels: tuple[Panel, ...]


def quantiles(metric: str, by: str, legend: str, *shares: float, where: str = "") -> tuple[tuple[str, str], ...]:
    """Queries for quantiles of a histogram over 5 minutes; no series where nothing was measured."""
    rates = f"sum by ({by}, le) (rate({metric}_bucket{{{where}}}[5m]))"
    return tuple((f"histogram_quantile({share:g}, {rates}) >= 0", f"p{share * 100:g} {legend}") for share in shares)


def per_minute(metric: str, by: str, where: str = "") -> str:
    return f"60 * sum by ({by}) (rate({metric}{{{where}}}[5m]))"


ROLE, SERVICE = 'role=~"$role"', 'service=~"$service"'
ONE_PERCENT = ((0, "green"), (0.01, "red"))
TEN_SECONDS = ((0, "green"), (5, "yellow"), (10, "red"))

NOW = PanelRow(
    100,
    "Now",
    (
        Panel(
            101,
            "Who serves",
            "The backend that the policy asks first in each role. `make use-vllm` and `make use-ollama` change it.",
            ((f"max by (role, backend) (switchyard_provider_active{{{ROLE}}}) == 1", "{{role}}: {{backend}}"),),
            kind="stat",
            names=True,
            width=6,
            height=5,
        ),
        Panel(
            102,
            "Alerts",
            "How many alerts fire now; docs/operations.md says what to do about each.",
            (('count(ALERTS{alertstate="firing"}) or vector(0)', "firing"),),
            kind="stat",
            steps=((0, "green"), (1, "red")),
            width=3,
            height=5,
        ),
        Panel(
            103,
            "Which alerts",
            "The alerts that fire now, and what they are about. The same is at Prometheus' page /alerts, with words.",
            (
                (
                    'count by (alertname, service, role, backend, kind) (ALERTS{alertstate="firing"})',
                    "{{alertname}} {{service}} {{role}} {{backend}} {{kind}}",
                ),
            ),
            kind="stat",
            names=True,
            steps=((0, "red"),),
            nothing="none",
            width=9,
            height=5,
        ),
        Panel(
            104,
            "Policy",
            "The revision that each service follows: the same a second after a change. If not, the log of the one that lags "
            "behind says why it can't follow.",
            ((f"max by (service) (switchyard_policy_revision{{{SERVICE}}})", "{{service}}"),),
            kind="stat",
            unit="none",
            width=6,
            height=5,
        ),
        Panel(
            105,
            "Up",
            "Whether Prometheus reaches each service and each of vLLM's servers. DOWN: `make status`, then the log of the container.",
            (('min by (service, role) (up{job=~"services|vllm"})', "{{service}} {{role}}"),),
            kind="stat",
            words={0: ("DOWN", "red"), 1: ("up", "green")},
            width=6,
            height=5,
        ),
        Panel(
            106,
            "Ready",
            "Whether each service has what it needs: backends that gave real tokens or vectors lately, Chroma (vector-index), "
            "its database, OCR.",
            ((f"min by (service, check) (switchyard_ready{{{SERVICE}}})", "{{service}} {{check}}"),),
            kind="stat",
            words={0: ("LACKING", "red"), 1: ("ready", "green")},
            width=9,
            height=5,
        ),
        Panel(
            107,
            "Breakers",
            "OPEN: this backend failed repeatedly and gets no requests; its fallback serves if the policy names one. "
            "It closes by itself once the backend passes a probe.",
            ((f"role_backend:switchyard_provider_breaker_open:max{{{ROLE}}}", "{{backend}} {{role}}"),),
            kind="stat",
            words={0: ("closed", "green"), 1: ("OPEN", "red")},
            width=5,
            height=5,
        ),
        Panel(
            108,
            "Canary",
            "The share of conversations that the candidate answers.",
            ((f"max by (role) (switchyard_canary_percent{{{ROLE}}})", "{{role}}"),),
            kind="stat",
            unit="percent",
            width=2,
            height=5,
        ),
        Panel(
            109,
            "Halted",
            "Whether the operator has stopped a role; `switchyard providers resume` lets it go on.",
            ((f"max by (role) (switchyard_halted{{{ROLE}}})", "{{role}}"),),
            kind="stat",
            words={0: ("no", "green"), 1: ("HALTED", "orange")},
            width=2,
            height=5,
        ),
    ),
)

REQUESTS = PanelRow(
    200,
    "Requests",
    (
        Panel(
            201,
            "Requests",
            "Requests a second, without health checks.",
            ((f"service:switchyard_http_requests:rate5m{{{SERVICE}}}", "{{service}}"),),
            unit="reqps",
        ),
        Panel(
            202,
            "Failed requests",
            "The share that a service could not serve, with the streams that ended with an error. Refusals (4xx) and what the "
            "operator has halted are not counted. Over 1 % for 5 minutes is an alert.",
            ((f"service:switchyard_http_failures:ratio5m{{{SERVICE}}}", "{{service}}"),),
            unit="percentunit",
            steps=ONE_PERCENT,
            nothing="no requests",
        ),
        Panel(
            203,
            "Time to the last byte, p95",
            "Without what takes as long as the work does (watching jobs, reading and adding documents, waiting for notes). Over "
            "10 s for 5 minutes is an alert: see below whether the first token is late or the tokens come slowly.",
            ((f"service:switchyard_http_request_seconds:p95_5m{{{SERVICE}}}", "{{service}}"),),
            unit="s",
            steps=TEN_SECONDS,
            nothing="no requests",
        ),
        Panel(
            204,
            "Failures by type",
            "By the type of the problem, which is in the answer and in the log; `halted` is the operator's doing.",
            (
                (
                    per_minute("switchyard_http_failures_total", "service, type", SERVICE) + " > 0",
                    "{{service}} {{type}}",
                ),
            ),
            unit="cpm",
            nothing="none",
        ),
        Panel(
            205,
            "Refused to callers",
            "Answers 4xx: 401 is a wrong key, 413 an upload or a prompt that is too large, 422 wrong input, 429 too many.",
            (
                (
                    per_minute("switchyard_http_requests_total", "service, status", f'{SERVICE},status=~"4.."')
                    + " > 0",
                    "{{service}} {{status}}",
                ),
            ),
            unit="cpm",
            nothing="none",
        ),
        Panel(
            206,
            "Searches",
            "By the part that was missing: `embeddings` means keyword search only, `rerank` that results were not re-ranked. "
            "Anything but `no` means worse answers: look at the breakers.",
            ((per_minute("switchyard_searches_total", "degraded"), "missing: {{degraded}}"),),
            unit="cpm",
            stacked=True,
        ),
    ),
)

PROVIDERS = PanelRow(
    300,
    "Backends",
    (
        Panel(
            301,
            "Calls",
            "Calls a second on each backend, the probes of readiness included (one in 15 s while there is no traffic).",
            ((f"role_backend:switchyard_provider_requests:rate5m{{{ROLE}}}", "{{backend}} {{role}}"),),
            unit="reqps",
        ),
        Panel(
            302,
            "Failed calls",
            "The share on which the backend failed; what it rightly refused and what the caller cancelled are not counted. Users "
            "may not have noticed, where another backend stood in. Over 1 % for 5 minutes is an alert.",
            ((f"role_backend:switchyard_provider_failures:ratio5m{{{ROLE}}}", "{{backend}} {{role}}"),),
            unit="percentunit",
            steps=ONE_PERCENT,
            nothing="no calls",
        ),
        Panel(
            303,
            "Outcomes but ok",
            "`overloaded` asks for less load or another engine, `timeout` and `stream_broken` for a look at the engine's log, "
            "`model_not_found` and `authentication_failed` for a look at the settings.",
            (
                (
                    per_minute("switchyard_provider_requests_total", "role, backend, outcome", f'{ROLE},outcome!="ok"')
                    + " > 0",
                    "{{backend}} {{role}} {{outcome}}",
                ),
            ),
            unit="cpm",
            nothing="none",
        ),
        Panel(
            304,
            "Time of a call",
            "From the call to the last token or vector.",
            quantiles(
                "switchyard_provider_request_seconds",
                "role, backend",
                "{{backend}} {{role}}",
                0.5,
                0.95,
                0.99,
                where=ROLE,
            ),
            unit="s",
            nothing="no calls",
        ),
        Panel(
            305,
            "First token",
            "What a user waits for before anything moves. Over 10 s (p95) for 5 minutes is an alert: requests queue, prompts are "
            "long, or a model is loaded anew for each request.",
            quantiles(
                "switchyard_provider_first_token_seconds",
                "role, backend",
                "{{backend}} {{role}}",
                0.5,
                0.95,
                where=ROLE,
            ),
            unit="s",
            steps=TEN_SECONDS,
            nothing="no answers",
        ),
        Panel(
            306,
            "Fallbacks",
            "Requests handed to another backend. For 5 minutes on end it is an alert: users are served, by the wrong engine.",
            (
                (
                    f"60 * role:switchyard_provider_fallbacks:rate5m{{{ROLE}}}",
                    "{{role}}: {{from_backend}} → {{to_backend}}",
                ),
            ),
            unit="cpm",
            nothing="none",
        ),
        Panel(
            307,
            "Breakers over time",
            "When each backend was left alone.",
            ((f"role_backend:switchyard_provider_breaker_open:max{{{ROLE}}}", "{{backend}} {{role}}"),),
            kind="state-timeline",
            words={0: ("closed", "green"), 1: ("OPEN", "red")},
        ),
        Panel(
            308,
            "Canaries that were stopped",
            "In the last hour, by the gate that did not hold; `switchyard providers show` has the figures.",
            (
                (
                    f"sum by (role, candidate, gate) (increase(switchyard_canary_trips_total{{{ROLE}}}[1h])) > 0",
                    "{{role}}: {{candidate}} by {{gate}}",
                ),
            ),
            unit="none",
            nothing="none",
        ),
        Panel(
            309,
            "Shadow",
            "Requests that the candidate answers too, by what became of them; `dropped` means that it is slower than the traffic.",
            (
                (
                    per_minute("switchyard_shadow_requests_total", "role, candidate, outcome", ROLE),
                    "{{candidate}} {{outcome}}",
                ),
            ),
            unit="cpm",
            nothing="no shadow",
        ),
    ),
)

INGESTION = PanelRow(
    400,
    "Ingestion and notes",
    (
        Panel(
            401,
            "Open jobs",
            "Queued, running, or waiting for a peer that is away. Open jobs without progress for 10 minutes are an alert: "
            "`waiting_for` at /v1/jobs says what they wait for.",
            (
                (
                    f"sum by (service, kind, state) (max by (service, kind, state) (switchyard_jobs{{{SERVICE}}}))",
                    "{{kind}} {{state}}",
                ),
            ),
            unit="none",
            stacked=True,
        ),
        Panel(
            402,
            "Documents and notes",
            "Jobs that ended, by how: `ingest` is a document, `note` a note, `fill` the filling of an index, `graph` a build.",
            (
                (
                    per_minute("switchyard_job_results_total", "service, kind, outcome", SERVICE),
                    "{{kind}} {{outcome}}",
                ),
            ),
            unit="cpm",
        ),
        Panel(
            403,
            "Progress",
            "Pages read, chunks embedded or read for a graph, parts of notes drafted.",
            ((per_minute("switchyard_job_progress_total", "service, kind, unit", SERVICE), "{{kind}} {{unit}}"),),
            unit="cpm",
        ),
        Panel(
            404,
            "Pages by reader",
            "`tesseract` is OCR, at about a second a page; `vision` is a model that reads the picture. The others read text that "
            "is there.",
            ((per_minute("switchyard_pages_total", "engine"), "{{engine}}"),),
            unit="cpm",
            stacked=True,
            nothing="no pages",
        ),
        Panel(
            405,
            "Time of a page",
            "With the time it waited for a worker. OCR that falls behind wants more OCR_WORKERS, and cores for them.",
            quantiles("switchyard_page_seconds", "engine", "{{engine}}", 0.5, 0.95),
            unit="s",
            nothing="no pages",
        ),
    ),
)

VLLM = PanelRow(
    500,
    "vLLM",
    (
        Panel(
            501,
            "Running and waiting",
            "Requests in the engine's batch, and those that queue for it. A queue that never empties wants a larger share of the "
            "card, a shorter VLLM_MAX_MODEL_LEN, or less load; beyond VLLM_MAX_QUEUED requests are refused.",
            (
                (f"sum by (role) (vllm:num_requests_running{{{ROLE}}})", "{{role}} running"),
                (f"sum by (role) (vllm:num_requests_waiting{{{ROLE}}})", "{{role}} waiting"),
            ),
            unit="none",
            nothing="no vLLM",
        ),
        Panel(
            502,
            "KV cache in use",
            "Near 100 % requests wait or are preempted: more GPU_MEMORY_UTILIZATION, or a shorter VLLM_MAX_MODEL_LEN.",
            ((f"max by (role) (vllm:kv_cache_usage_perc{{{ROLE}}})", "{{role}}"),),
            unit="percentunit",
            steps=((0, "green"), (0.8, "yellow"), (0.95, "red")),
            most=1,
            nothing="no vLLM",
        ),
        Panel(
            503,
            "Prefix cache hits",
            "The share of prompt tokens that were computed before: prompts begin with what they have in common, so it should be high.",
            (
                (
                    f"sum by (role) (rate(vllm:prefix_cache_hits_total{{{ROLE}}}[5m]))"
                    f" / (sum by (role) (rate(vllm:prefix_cache_queries_total{{{ROLE}}}[5m])) > 0)",
                    "{{role}}",
                ),
            ),
            unit="percentunit",
            most=1,
            nothing="no prompts",
        ),
        Panel(
            504,
            "Tokens a second",
            "Prompt tokens are read, generation tokens are written.",
            (
                (f"sum by (role) (rate(vllm:prompt_tokens_total{{{ROLE}}}[5m]))", "{{role}} prompt"),
                (f"sum by (role) (rate(vllm:generation_tokens_total{{{ROLE}}}[5m]))", "{{role}} generation"),
            ),
            unit="none",
            nothing="no vLLM",
        ),
        Panel(
            505,
            "Time in the queue",
            "How long requests wait before the engine begins with them.",
            quantiles("vllm:request_queue_time_seconds", "role", "{{role}}", 0.5, 0.95, where=ROLE),
            unit="s",
            steps=TEN_SECONDS,
            nothing="no requests",
        ),
        Panel(
            506,
            "Preempted and refused",
            "Preempted: the KV cache was full, and a request began anew. Refused: the queue was full (VLLM_MAX_QUEUED), which "
            "callers see as 503.",
            (
                (per_minute("vllm:num_preemptions_total", "role", ROLE), "{{role}} preempted"),
                (per_minute("vllm:admission_rejections_total", "role", ROLE), "{{role}} refused"),
            ),
            unit="cpm",
            nothing="no vLLM",
        ),
        Panel(
            507,
            "First token, by the engine's own clock",
            "Compare with what the services measure: the difference is the way there.",
            quantiles("vllm:time_to_first_token_seconds", "role", "{{role}}", 0.5, 0.95, where=ROLE),
            unit="s",
            nothing="no requests",
        ),
        Panel(
            508,
            "Between two tokens",
            "How fast an answer is written once it has begun; people read at about 0.1 s a token.",
            quantiles("vllm:inter_token_latency_seconds", "role", "{{role}}", 0.5, 0.95, where=ROLE),
            unit="s",
            nothing="no requests",
        ),
    ),
)

GRAPHS = PanelRow(
    600,
    "Graphs",
    (
        Panel(
            601,
            "Chunks of graphs",
            "By what has read them. `incomplete`: the model's answer was no JSON, or came too late, and patterns have read the chunk; "
            "a model that does so often is not fit for it.",
            ((per_minute("switchyard_graph_chunks_total", "outcome"), "{{outcome}}"),),
            unit="cpm",
            stacked=True,
            nothing="no builds",
        ),
        Panel(
            602,
            "Time of a chunk",
            "With the time it waited for its turn: builds make way for people's questions, which go through the same engines.",
            quantiles("switchyard_graph_chunk_seconds", "outcome", "{{outcome}}", 0.5, 0.95),
            unit="s",
            nothing="no builds",
        ),
        Panel(
            603,
            "Found in chunks",
            "Mentions and relations that stand in the text. `dropped` is what a model gave and no text holds: invented, or not as it "
            "is written.",
            ((per_minute("switchyard_graph_found_total", "kind"), "{{kind}}"),),
            unit="cpm",
            nothing="no builds",
        ),
    ),
)

ROWS = (NOW, REQUESTS, PROVIDERS, INGESTION, GRAPHS, VLLM)
