/// The keys that a configuration may have, section by section: honoured here, or known from the reference and not
/// honoured. docs/configuration.md lists the first kind; a test compares the two. Pure.
public enum KnownKeys {
    public struct Section: Sendable {
        public let name: String
        public let honoured: [String]
        /// Known to the reference, without effect here: named in a warning.
        public let ignored: [String]
        /// Whether any other key may stand there too, with a meaning of its own.
        public let isOpen: Bool
    }

    public static let top = Section(
        name: "the configuration",
        honoured: [
            "model_list", "router_settings", "litellm_settings", "general_settings", "environment_variables", "include",
            "tagway",
        ],
        ignored: [
            "mcp_servers", "guardrails", "prompts", "credential_list", "files_settings", "finetune_settings",
            "assistant_settings", "callback_settings", "vector_store_registry", "search_tools",
        ], isOpen: false)

    public static let model = Section(
        name: "a deployment", honoured: ["model_name", "litellm_params", "model_info"], ignored: [], isOpen: false)

    public static let parameters = Section(
        name: "litellm_params",
        honoured: [
            "model", "api_key", "api_base", "base_url", "tags", "tag_regex", "weight", "rpm", "tpm", "order", "timeout",
            "stream_timeout", "stream_idle_timeout", "num_retries", "cooldown_time", "mock_response", "extra_headers",
            "input_cost_per_token", "output_cost_per_token",
        ],
        ignored: [
            "max_retries", "organization", "api_version", "region_name", "custom_llm_provider", "input_cost_per_second",
            "output_cost_per_second",
            "max_budget", "budget_duration", "max_parallel_requests", "use_in_pass_through", "litellm_credential_name",
            "configurable_clientside_auth_params", "drop_params", "additional_drop_params", "request_timeout",
            "ssl_verify", "azure_ad_token", "aws_access_key_id", "aws_secret_access_key", "aws_region_name",
            "vertex_project", "vertex_location", "vertex_credentials", "default_api_key_tpm_limit",
            "default_api_key_rpm_limit", "merge_reasoning_content_in_choices", "auto_router_config",
        ], isOpen: true)

    public static let info = Section(
        name: "model_info",
        honoured: ["id", "enable_tag_filtering", "allow_fail_open", "input_cost_per_token", "output_cost_per_token"],
        ignored: [], isOpen: true)

    public static let router = Section(
        name: "router_settings",
        honoured: [
            "enable_tag_filtering", "tag_filtering_match_any", "tag_routing_prefix", "tag_semantics", "num_retries",
            "timeout", "stream_timeout", "stream_idle_timeout", "model_group_alias", "routing_strategy",
            "routing_strategy_args", "disable_cooldowns", "cooldown_time", "allowed_fails", "allowed_fails_policy",
            "retry_after", "retry_policy", "model_group_retry_policy", "fallbacks", "default_fallbacks",
            "context_window_fallbacks", "content_policy_fallbacks", "max_fallbacks",
        ],
        ignored: [
            "enable_pre_call_checks", "redis_host", "redis_port", "redis_password", "redis_url", "cache_responses",
            "caching_groups", "client_ttl", "set_verbose", "debug_level", "provider_budget_config", "alerting_config",
            "cache_kwargs", "router_general_settings", "optional_pre_call_checks", "deployment_affinity_ttl_seconds",
            "ignore_invalid_deployments", "default_max_parallel_requests", "default_priority", "polling_interval",
            "default_litellm_params", "assistants_config", "search_tools", "guardrail_list", "enable_weighted_failover",
        ], isOpen: false)

    public static let general = Section(
        name: "general_settings",
        honoured: ["master_key", "dangerously_permit_weak_or_unset_master_key"],
        ignored: [
            "database_url", "database_connection_pool_limit", "database_connection_timeout", "completion_model",
            "disable_spend_logs", "disable_spend_updates", "disable_master_key_return",
            "disable_retry_on_max_parallel_request_limit_error",
            "disable_reset_budget", "disable_adding_master_key_hash_to_db", "enable_jwt_auth", "enforce_user_param",
            "allowed_routes", "key_management_system", "key_management_settings", "custom_auth",
            "max_parallel_requests",
            "global_max_parallel_requests", "infer_model_from_keys", "background_health_checks",
            "health_check_interval",
            "health_check_details", "alerting", "alerting_threshold", "use_client_credentials_pass_through_routes",
            "max_request_size_mb", "max_response_size_mb", "store_model_in_db", "store_prompts_in_spend_logs",
            "proxy_budget_rescheduler_min_time", "proxy_batch_write_at", "forward_client_headers_to_llm_api",
            "pass_through_endpoints", "ui_access_mode", "use_redis_transaction_buffer", "litellm_jwtauth",
            "require_end_user_mcp_access_defined", "public_routes", "user_header_name",
            "allow_requests_on_db_unavailable",
            "maximum_spend_logs_retention_period", "control_plane_url",
        ], isOpen: false)

    public static let litellm = Section(
        name: "litellm_settings",
        honoured: [
            "ssl_verify", "request_timeout", "num_retries", "allowed_fails", "fallbacks", "default_fallbacks",
            "context_window_fallbacks", "content_policy_fallbacks", "require_auth_for_metrics_endpoint",
        ],
        ignored: [
            "drop_params", "callbacks", "success_callback", "failure_callback", "service_callbacks", "set_verbose",
            "json_logs", "cache", "cache_params", "turn_off_message_logging", "redact_user_api_key_info",
            "langfuse_default_tags", "modify_params", "telemetry", "max_budget", "budget_duration",
            "default_team_settings", "default_internal_user_params", "upperbound_key_generate_params", "max_tokens",
            "custom_prometheus_tags", "enable_preview_features",
            "add_function_to_prompt",
            "custom_provider_map", "tag_budget_config", "extra_spend_tag_headers",
            "disable_add_user_agent_to_request_tags",
            "mcp_aliases", "prometheus_initialize_budget_metrics", "ssl_certificate", "force_ipv4",
            "num_retries_per_request",
            "guardrails", "public_model_groups", "enable_json_schema_validation", "ssl_security_level",
        ], isOpen: false)

    public static let tagway = Section(
        name: "tagway",
        honoured: [
            "workers", "header_bytes", "body_bytes", "client_idle_timeout", "client_header_timeout",
            "client_body_timeout", "client_write_timeout", "connect_timeout", "request_timeout", "drain_timeout",
            "access_log", "hold_until_content", "listen", "watch", "lame_duck", "idle_grace", "watchdog_timeout",
            "probation",
            "no_worker_exit",
            "max_workers", "recycle_age",
            "recycle_requests", "recycle_memory_bytes",
        ], ignored: [], isOpen: false)

    public static let all = [top, model, parameters, info, router, general, litellm, tagway]

    /// Providers of the reference that speak the OpenAI API at an `api_base`.
    public static let compatibleProviders: Set<String> = [
        "openai", "openai_like", "custom_openai", "hosted_vllm", "vllm", "litellm_proxy", "together_ai", "groq",
        "deepseek", "mistral", "openrouter", "xai", "fireworks_ai", "perplexity", "deepinfra", "anyscale", "cerebras",
        "nvidia_nim", "lm_studio", "llamafile", "ollama_chat", "text-completion-openai", "nebius", "sambanova",
        "moonshot", "dashscope", "novita", "hyperbolic", "github", "friendliai", "galadriel", "featherless_ai",
        "lambda",
        "meta_llama", "volcengine", "baseten", "docker_model_runner", "xinference", "infinity",
    ]
}
