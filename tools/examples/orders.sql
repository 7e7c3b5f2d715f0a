-- The table of the demo's orders page. Its old rows are told in full, so that a filtered view knows what left it.
create table orders (
  id int generated always as identity primary key,
  item text not null check (item <> ''),
  status text not null default 'open' check (status in ('open', 'packed', 'sent')),
  total numeric(8, 2) not null check (total >= 0 and total <> 'NaN')
);
alter table orders replica identity full;
insert into orders (item, status, total) values
  ('A bell rope', 'sent', 18), ('A bronze bell, small', 'open', 240), ('A clapper', 'packed', 36.5),
  ('A felt mute', 'open', 9.9);
