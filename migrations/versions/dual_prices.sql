-- Policy may say that λ or ρ is the dual of a limit: tasks are then priced at what the price vector said when they began.

alter table pigou.price_policy
    add column lambda_is_dual boolean not null default false,
    add column rho_is_dual boolean not null default false,
    add constraint price_policy_duals_have_no_number check
        (not (lambda_is_dual and lambda_usd_per_s is not null) and not (rho_is_dual and rho is not null));
