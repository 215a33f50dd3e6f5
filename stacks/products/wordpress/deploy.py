"""From settings to the component of WordPress."""

from components.plan.sizes import parse_size
from components.services.wordpress import WordPress, WordPressArgs
from stacks.products.platform import Deployed, Platform
from stacks.products.wordpress.plan import DATABASE_VOLUME, wordpress_settings


def deploy_wordpress(platform: Platform) -> Deployed:
    """WordPress with its database, and the administrator's password as an output."""
    blog = wordpress_settings(platform.settings)
    wordpress = WordPress(
        "wordpress",
        WordPressArgs(
            replicas=blog.replicas,
            port=blog.port,
            title=blog.title,
            memory=parse_size(blog.memory, field="services.wordpress.memory"),
            database_memory=parse_size(blog.database_memory, field="services.wordpress.database_memory"),
            database_volume=platform.volumes[DATABASE_VOLUME],
            publish_mode=platform.publish_mode,
            cluster=platform.swarm,
            images=platform.images,
        ),
    )
    return Deployed(
        routes=(wordpress.route,),
        networks={wordpress.overlay.key: wordpress.overlay.network_id},
        outputs={"wordpress_administrator_password": wordpress.administrator_password},
    )
