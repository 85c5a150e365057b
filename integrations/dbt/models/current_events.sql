{#- The events as they are now. Each run takes the changes that are new: of each event the newest, and deletes too, so that an
    older change that comes later doesn't bring one back. Readers want `where not is_deleted`. -#}
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='id') }}

select _op not in ('insert', 'update') as is_deleted, * exclude (_op)
from read_parquet('{{ env_var("MALOMO_EXPORTS", "/var/lib/malomo-mirror/exports") }}/events/*.parquet')
{% if is_incremental() %}
where _seq > (select coalesce(max(_seq), 0) from {{ this }})
{% endif %}
qualify row_number() over (partition by id order by _seq desc) = 1
