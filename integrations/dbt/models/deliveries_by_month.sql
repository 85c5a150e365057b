{#- How many parcels arrived in each month, by the shop's own clock in UTC. -#}
{{ config(materialized='table') }}

select date_trunc('month', occurred_at) as month, count(*) as deliveries, count(distinct customer_id) as customers
from {{ ref('current_events') }}
where not is_deleted and type = 'Delivered' and occurred_at is not null
group by all
order by month
